// How the figures come about, in words: a part of the results' page, so that it stands wherever that is read. Pure.

export const method = (load, reloads) => `## How it is measured

One app, a plain \`http\` server with a body of 13 bytes, unmodified under each runner, with the runner's defaults. Rounds alternate: each runner is
started, measured and ended once in every round, and what is compared between runners is measured in turn, in short slices. Clients are a process of their own that speaks HTTP over \`node:net\`; its CPU
counts for nobody. With ${load.workers} workers on few cores clients and servers share them, so requests a second say less than CPU a request.

- **CPU a request**: user and system time of the runner's whole process tree (master, workers, helpers, those that have ended), from \`/proc\`, while
  ${load.throughputClients} clients ask as fast as they get answers: the median of ${load.slices} slices of ${load.sliceMs / 1000} s a round, after one that only warms the code up. Either all on connections that stay
  open, or each request on a new TCP connection.
- **Latency**: an open loop of ${load.rate.toLocaleString('en-US')} requests a second on ${load.latencyClients} keep-alive connections. A request that finds no free connection counts from when it was due, so
  a stall is not hidden by clients that wait for it. Steady: ${load.steadyMs / 1000} s. During a reload: from the start of the runner's own reload command to its end.
- **Losses**: ${load.keepAliveClients} keep-alive clients and ${load.perRequestClients} with a connection for each request, with rests of 10 ms, over ${reloads} ${reloads === 1 ? 'reload' : 'reloads'} a round. Lost is a request that
  was sent and got no whole answer, or had its connection refused; it hangs when that takes more than 5 s. No client tries again. Closed is a keep-alive connection that
  the server ended, announced or not.
- **Evenness**: ${load.evenClients} keep-alive clients on ${load.evenWorkers} workers; the requests of the busiest over the mean, counted from ${load.evenWarmMs / 1000} s after the clients began.
- **Memory**: of the idle app, ${load.settleMs / 1000} s after its start. RSS counts shared pages in full for each process; private memory is what ending all its processes would give back.
`;
