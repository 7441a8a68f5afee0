/** The Docker Engine API that this server speaks, and the engine release whose behaviour it has. */
export const API_VERSION = '1.50';
export const MIN_API_VERSION = '1.24';
export const ENGINE_VERSION = '28.2.2';
