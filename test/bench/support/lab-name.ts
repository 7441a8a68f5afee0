export const LAB_NAME = 'bench';
// Read by the lab when it is loaded.
process.env['SWARM_LAB'] = LAB_NAME;
