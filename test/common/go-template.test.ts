import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Template, TemplateError } from '../../common/go-template/index.ts';

const data = {
  Name: 'web',
  Replicas: 3,
  Empty: '',
  Labels: { b: '2', a: '1' },
  Ports: [{ Target: 80 }, { Target: 443 }],
  'dotted.key': 'x',
};

const cases: [template: string, expected: string][] = [
  ['plain', 'plain'],
  ['{{.Name}}-{{.Replicas}}', 'web-3'],
  ['{{ .Labels.a }}', '1'],
  ['{{json .Ports}}', '[{"Target":80},{"Target":443}]'],
  ['{{.Labels}}', 'map[a:1 b:2]'],
  ['{{range .Ports}}{{.Target}} {{end}}', '80 443 '],
  ['{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}', 'a=1;b=2;'],
  ['{{range $i, $p := .Ports}}{{if $i}},{{end}}{{$p.Target}}{{end}}', '80,443'],
  ['{{if .Empty}}yes{{else}}no{{end}}', 'no'],
  ['{{if .Empty}}a{{else if eq .Name "web"}}b{{else}}c{{end}}', 'b'],
  ['{{with .Labels}}{{.b}} {{$.Name}}{{end}}', '2 web'],
  ['{{len .Ports}} {{index .Ports 1}} {{(index .Ports 1).Target}}', '2 map[Target:443] 443'],
  ['{{index . "dotted.key"}}', 'x'],
  ['{{.Name | upper | printf "%q"}}', '"WEB"'],
  ['{{printf "%-5s|%3d" .Name .Replicas}}', 'web  |  3'],
  ['a  {{- .Name -}}  b', 'awebb'],
  ['{{/* nothing */}}x', 'x'],
  ['{{$n := .Name}}{{$n}}', 'web'],
  ['{{if and .Name (gt .Replicas 2)}}many{{end}}', 'many'],
  ['{{"}}"}}', '}}'],
];

for (const [template, expected] of cases) {
  test(`template ${template}`, () => {
    assert.equal(new Template(template).render(data), expected);
  });
}

test('a missing field is an error, or <no value> where that is asked for', () => {
  assert.throws(() => new Template('{{.Nope}}').render(data), /there is no field "Nope"/);
  assert.equal(new Template('{{.Nope.X}}', { missing: 'no value' }).render(data), '<no value>');
});

for (const broken of ['{{.Name', '{{if .X}}', '{{end}}', '{{.A b}}', '{{nope .A}}', '{{(.A}}']) {
  test(`${broken} is refused`, () => {
    assert.throws(() => new Template(broken).render({ A: 1 }), TemplateError);
  });
}
