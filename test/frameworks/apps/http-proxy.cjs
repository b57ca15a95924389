const httpProxy = require('http-proxy');

const proxy = httpProxy.createProxyServer({ target: process.env.BACKEND });

// The backend answers with it: so the test sees which worker has proxied.
proxy.on('proxyReq', (request) => request.setHeader('x-proxied-by', `pid ${process.pid}`));

proxy.listen(process.env.PORT);
