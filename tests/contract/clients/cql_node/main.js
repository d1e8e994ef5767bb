// What the Node.js driver, unchanged, does with a Cassandra: the scenario that every driver here runs. Its findings go to
// standard output as one JSON object; the test compares them.
const cassandra = require('cassandra-driver')

const ROWS = 500
const [address, keyspace, dataCenter] = process.argv.slice(2)
const { types } = cassandra

async function main () {
  const found = {}
  const [host, port] = address.split(':')
  const client = new cassandra.Client({
    contactPoints: [host], protocolOptions: { port: Number(port) }, localDataCenter: dataCenter,
    encoding: { set: Set, map: Map }
  })
  await client.connect()
  const run = (query, params, options) => client.execute(query, params, { prepare: params !== undefined, ...options })
  await run(`CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`)
  await run(`CREATE TYPE ${keyspace}.place (name text, at frozen<tuple<int, int>>)`)
  await run(`CREATE TABLE ${keyspace}.t (id int, c int, big bigint, d decimal, u uuid, txt text, ts timestamp,
             l list<int>, s set<text>, m map<text, int>, p frozen<place>, PRIMARY KEY (id, c))`)
  const id = types.Uuid.fromString('123e4567-e89b-12d3-a456-426614174000')
  await run(`INSERT INTO ${keyspace}.t (id, c, big, d, u, txt, ts, l, s, m, p) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, [
    1, 0, types.Long.fromString('9007199254740993'), types.BigDecimal.fromString('12.340'), id, 'grüße',
    new Date(1443657600123), [3, 1, 2], new Set(['b', 'a']), new Map([['k', 7]]), { name: 'x', at: new types.Tuple(1, 2) }
  ])
  const row = (await run(`SELECT * FROM ${keyspace}.t WHERE id = ? AND c = ?`, [1, 0])).first()
  found.row = {
    big: row.big.toString(), d: row.d.toString(), u: row.u.toString(), txt: row.txt, ts: row.ts.getTime(), l: row.l,
    s: [...row.s], m: Object.fromEntries(row.m), p: [row.p.name, row.p.at.get(0), row.p.at.get(1)]
  }
  const queries = []
  for (let c = 1; c <= ROWS; c++) {
    queries.push({ query: `INSERT INTO ${keyspace}.t (id, c, txt) VALUES (?, ?, ?)`, params: [2, c, 'row ' + c] })
  }
  for (let start = 0; start < ROWS; start += 100) {
    await client.batch(queries.slice(start, start + 100), { prepare: true, logged: false })
  }
  let pages = 0
  let total = 0
  let pageState
  do {
    const result = await run(`SELECT c FROM ${keyspace}.t WHERE id = ?`, [2], { fetchSize: 100, pageState })
    pages++
    for (const one of result.rows) total += one.c
    pageState = result.pageState
  } while (pageState)
  found.pages = pages
  found.sum_of_pages = total
  const insert = `INSERT INTO ${keyspace}.t (id, c, txt) VALUES (?, ?, ?) IF NOT EXISTS`
  const first = await run(insert, [3, 0, 'first'])
  const second = await run(insert, [3, 0, 'second'])
  found.lwt = [first.wasApplied(), second.wasApplied(), second.first().txt]
  const count = await run(`SELECT count(*) AS n, max(c) AS top FROM ${keyspace}.t WHERE id = ?`, [2])
  found.aggregate = [Number(count.first().n), count.first().top]
  found.errors = []
  for (const bad of ['SELEC 1', `SELECT none FROM ${keyspace}.t`, `SELECT * FROM ${keyspace}.none`, `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}`]) {
    await run(bad).then(() => found.errors.push(0), error => found.errors.push(error.code))
  }
  const table = await client.metadata.getTable(keyspace, 't')
  found.columns = table.columns.map(column => column.name).sort()
  found.keys = [table.partitionKeys.map(one => one.name), table.clusteringKeys.map(one => one.name)]
  const text = 'x'.repeat(40000)
  await run(`INSERT INTO ${keyspace}.t (id, c, txt) VALUES (?, ?, ?)`, [9, 0, text])
  found.large = 0
  for (let round = 0; round < 40; round++) {
    const asked = []
    for (let reader = 0; reader < 8; reader++) asked.push(run(`SELECT txt FROM ${keyspace}.t WHERE id = ? AND c = ?`, [9, 0]))
    for (const one of await Promise.all(asked)) if (one.first().txt === text) found.large++
  }
  await run(`DROP KEYSPACE ${keyspace}`)
  await client.shutdown()
  console.log(JSON.stringify(found))
}

main().then(() => process.exit(0), error => { console.error(error); process.exit(1) })
