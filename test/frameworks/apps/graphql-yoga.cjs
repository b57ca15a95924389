const { createServer } = require('node:http');
const { createSchema, createYoga } = require('graphql-yoga');

const yoga = createYoga({
  schema: createSchema({
    typeDefs: 'type Query { hello: String }',
    resolvers: { Query: { hello: () => `pid ${process.pid}` } },
  }),
});

createServer(yoga).listen(process.env.PORT);
