/**
 * The shell commands behind `Kernel.acceptForwarding`. In nftables a packet must pass every chain of
 * a hook, so an accept of ours is no help against a drop policy of iptables' FORWARD chain: that one
 * needs rules of its own. Docker leaves DOCKER-USER to others for this.
 */
export function forwardingScript(device: string, accept: boolean): string {
  const each = (command: string) =>
    ['-i', '-o'].map((direction) =>
      command.replaceAll('RULE', `${direction} '${device}' -j ACCEPT`),
    );
  const lines = accept
    ? [
        'if iptables -n -L DOCKER-USER >/dev/null 2>&1; then chain=DOCKER-USER',
        "elif iptables -S FORWARD 2>/dev/null | grep -q '^-P FORWARD DROP'; then chain=FORWARD",
        'else exit 0; fi',
        ...each('iptables -C $chain RULE 2>/dev/null || iptables -I $chain RULE'),
      ]
    : [
        'for chain in DOCKER-USER FORWARD; do',
        ...each('iptables -D $chain RULE 2>/dev/null'),
        'done',
        'true',
      ];
  return ['command -v iptables >/dev/null || exit 0', ...lines].join('\n');
}
