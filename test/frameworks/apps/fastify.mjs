import Fastify from 'fastify';

const fastify = Fastify();

fastify.get('/', async () => `pid ${process.pid}`);

await fastify.listen({ port: Number(process.env.PORT) });
