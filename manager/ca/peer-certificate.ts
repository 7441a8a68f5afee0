import { connect } from 'node:tls';
import type { Clock } from '../../common/clock.ts';
import { SwarmError } from '../../common/errors.ts';

const TIMEOUT_MS = 5_000;

/**
 * The certificate that the TLS server at `addr` (host:port) shows, DER. Nothing is verified. Rejects
 * with SWM_UNAVAILABLE when it shows none within 5 s.
 */
export function peerCertificate(
  clock: Pick<Clock, 'setTimer'>,
  addr: string,
  servername: string,
): Promise<Buffer> {
  const { hostname, port } = new URL(`tls://${addr}`);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), servername, rejectUnauthorized: false });
    const fail = (reason: string) => {
      socket.destroy();
      reject(new SwarmError('SWM_UNAVAILABLE', `no TLS with ${addr}: ${reason}`));
    };
    const patience = clock.setTimer(TIMEOUT_MS, () =>
      fail(`no answer within ${TIMEOUT_MS / 1000} s`),
    );
    socket.on('error', (error) => fail(error.message));
    socket.once('secureConnect', () => {
      const { raw } = socket.getPeerCertificate();
      if (raw) resolve(raw);
      socket.destroy();
    });
    socket.once('close', () => {
      patience.cancel();
      fail('the connection was closed');
    });
  });
}
