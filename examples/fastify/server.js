// A Fastify app, as an ES module. It closes itself where it is told to end: by then zdsup has had every request answered.
import Fastify from 'fastify';

const port = Number(process.env.PORT ?? 3000);
const fastify = Fastify({ logger: true });

fastify.get('/', async () => ({ hello: `from process ${process.pid}` }));
fastify.get('/healthz', async () => ({ ok: true }));

// What `onClose` hooks do (end a pool, flush a queue) is done within `killTimeout`.
fastify.addHook('onClose', async () => fastify.log.info('closed'));
process.once('SIGTERM', () => fastify.close());

await fastify.listen({ port });
