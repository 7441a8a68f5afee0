/** containerd's filter for objects that have all of `labels`. */
export function labelFilter(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `labels."${key}"==${JSON.stringify(value)}`)
    .join(',');
}
