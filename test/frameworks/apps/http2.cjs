// HTTP/2 of Node itself: clear text, and with TLS where TLS_FOLDER has a certificate.
const { readFileSync, writeSync } = require('node:fs');
const http2 = require('node:http2');

const folder = process.env.TLS_FOLDER;
const server = folder
  ? http2.createSecureServer({ key: readFileSync(`${folder}/key.pem`), cert: readFileSync(`${folder}/cert.pem`) })
  : http2.createServer();

let count = 0;
server.on('stream', (stream) => {
  count += 1;
  stream.respond({ ':status': 200, 'content-type': 'text/plain' });
  stream.end(`pid ${process.pid}`);
});

process.on('exit', () => writeSync(1, `${count} streams\n`));

server.listen(process.env.PORT);
