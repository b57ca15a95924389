const Koa = require('koa');
const app = new Koa();

app.use(async (context) => {
  context.body = `pid ${process.pid}`;
});

app.listen(process.env.PORT);
