export { EventLoopWatch } from './event-loop-watch.ts';
export { metricsHandler, metricsRoute } from './http.ts';
export { NodeLoopProbe } from './loop-probe.ts';
export { Metrics } from './metrics.ts';
export { processFacts } from './process-facts.ts';
