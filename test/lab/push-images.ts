import { buildBusyboxImage, type ImageRecipe } from './busybox-image.ts';
import { pushImage } from './registry-push.ts';

/** The first process of a container has no default for SIGTERM: like any good server, this one heeds it. */
const HTTPD = ['sh', '-c', 'trap "exit 0" TERM; httpd -f -p 0.0.0.0:80 -h /www & wait'];

/** Tells who answered and whom it saw: the demo of the routing mesh. */
const WHOAMI = `#!/bin/sh
echo "Content-Type: text/plain"
echo
echo "host=$(hostname) client=$REMOTE_ADDR"
`;

const RECIPES: Record<string, ImageRecipe> = {
  busybox: { cmd: ['sh'] },
  alpine: { cmd: ['sh'] },
  whoami: { cmd: HTTPD, files: { 'www/cgi-bin/index.cgi': WHOAMI }, exposedPorts: ['80/tcp'] },
  nginx: {
    cmd: HTTPD,
    files: { 'www/index.html': '<h1>Welcome</h1>\n' },
    exposedPorts: ['80/tcp'],
    env: ['SERVER=busybox'],
  },
};

/** Usage: push-images http://HOST:PORT. Fills a registry with the images that the lab runs. */
const [registry] = process.argv.slice(2);
if (!registry) throw new Error('usage: push-images http://HOST:PORT');
await Promise.all(
  Object.entries(RECIPES).map(async ([name, recipe]) => {
    const image = await buildBusyboxImage(recipe);
    await pushImage(registry, name, 'latest', image);
    if (name === 'nginx') await pushImage(registry, name, 'v2', image);
  }),
);
