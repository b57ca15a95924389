// HTTP/2 of Node itself: clear text, and with TLS where TLS_FOLDER has a certificate.
const { readFileSync } = require('node:fs');
const http2 = require('node:http2');

const folder = process.env.TLS_FOLDER;
const server = folder
  ? http2.createSecureServer({ key: readFileSync(`${folder}/key.pem`), cert: readFileSync(`${folder}/cert.pem`) })
  : http2.createServer();

server.on('stream', (stream) => {
  stream.respond({ ':status': 200, 'content-type': 'text/plain' });
  stream.end(`pid ${process.pid}`);
});

server.listen(process.env.PORT);
