/** What nft would hold after running scripts: enough of its language for rendered rulesets. */
export class NftSimulator {
  readonly tables = new Map<string, Table>();

  run(script: string): void {
    for (const line of script.split('\n').filter(Boolean)) this.#line(line);
  }

  /** Everything as plain values, to compare. */
  state(): unknown {
    return Object.fromEntries(
      [...this.tables].map(([name, table]) => [
        name,
        {
          maps: Object.fromEntries(
            [...table.maps]
              .sort()
              .map(([map, { type, elements }]) => [
                map,
                { type, elements: Object.fromEntries([...elements].sort()) },
              ]),
          ),
          chains: Object.fromEntries([...table.chains].sort()),
        },
      ]),
    );
  }

  #line(line: string): void {
    const [verb = '', kind = '', family, name, ...rest] = line.split(' ');
    const key = `${family} ${name}`;
    if (kind === 'table') {
      if (verb === 'add' && !this.tables.has(key)) this.tables.set(key, new Table());
      if (verb === 'delete') this.#need(this.tables.delete(key), line);
      return;
    }
    const table = this.tables.get(key);
    this.#need(table !== undefined, line);
    table?.apply(verb, kind, rest[0] ?? '', rest.slice(1).join(' '), line);
  }

  #need(condition: boolean, line: string): void {
    if (!condition) throw new Error(`nft would refuse: ${line}`);
  }
}

class Table {
  readonly maps = new Map<string, { type: string; elements: Map<string, string> }>();
  readonly chains = new Map<string, { hook: string; rules: string[] }>();

  apply(verb: string, kind: string, name: string, rest: string, line: string): void {
    const need = (condition: unknown) => {
      if (!condition) throw new Error(`nft would refuse: ${line}`);
    };
    const chain = this.chains.get(name);
    const map = this.maps.get(name);
    switch (`${verb} ${kind}`) {
      case 'add map':
      case 'add set':
        need(!map);
        this.maps.set(name, {
          type: rest.replace(/^\{ type (.*); \}$/, '$1'),
          elements: new Map(),
        });
        return;
      case 'delete map':
      case 'delete set':
        need(map && !this.#isUsed(`@${name}`));
        this.maps.delete(name);
        return;
      case 'add chain':
        need(!chain);
        this.chains.set(name, { hook: rest.replace(/^\{ (.*) \}$/, '$1'), rules: [] });
        return;
      case 'flush chain':
        need(chain);
        chain?.rules.splice(0);
        return;
      case 'delete chain':
        need(chain && chain.rules.length === 0 && !this.#isUsed(`goto ${name}`));
        this.chains.delete(name);
        return;
      case 'add rule':
        need(chain);
        for (const [, used = ''] of rest.matchAll(/@([a-z_]+)(?![a-z_,])/g))
          need(this.maps.has(used));
        chain?.rules.push(rest);
        return;
      case 'add element':
      case 'delete element':
        need(map);
        for (const element of rest.replace(/^\{ (.*) \}$/, '$1').split(', ')) {
          const [key = '', value = ''] = element.split(' : ');
          const target = /^goto (.*)$/.exec(value)?.[1];
          if (verb === 'add') {
            need(!map?.elements.has(key) && (!target || this.chains.has(target)));
            map?.elements.set(key, value);
          } else {
            need(map?.elements.get(key) === value);
            map?.elements.delete(key);
          }
        }
        return;
      default:
        throw new Error(`the simulator does not know: ${line}`);
    }
  }

  #isUsed(reference: string): boolean {
    const inRules = [...this.chains.values()].some(({ rules }) =>
      rules.some((rule) => rule.split(/[ ,]/).join(' ').includes(reference)),
    );
    return (
      inRules ||
      [...this.maps.values()].some(({ elements }) => [...elements.values()].includes(reference))
    );
  }
}
