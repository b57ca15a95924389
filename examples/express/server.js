// An Express app as its documentation writes it, with a path for the readiness check.
const express = require('express');

const port = Number(process.env.PORT ?? 3000);
const app = express();
let isWarm = false;

app.get('/', (_request, response) => {
  response.send(`hello from process ${process.pid}\n`);
});

// zdsup asks each new worker here, and lets no client in before it says 200.
app.get('/healthz', (_request, response) => {
  response.sendStatus(isWarm ? 200 : 503);
});

app.listen(port, () => console.log(`listening on http://localhost:${port}`));

// Stands for what a real app does first: fill a cache, connect to a database.
setTimeout(() => {
  isWarm = true;
}, 500);
