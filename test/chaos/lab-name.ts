// Read by the lab of the e2e tests when it is loaded: this must be imported before it.
process.env['SWARM_LAB'] ??= 'chaos';
