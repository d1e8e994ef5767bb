// What KafkaJS, unchanged, does with a Kafka: the scenario that every client here runs. Its findings go to standard
// output as one JSON object; the test compares them. KafkaJS brings gzip and no other compression.
const crypto = require('node:crypto')
const { Kafka, CompressionTypes, ConfigResourceTypes, logLevel } = require('kafkajs')

const RECORDS = 300
const [bootstrap, topic] = process.argv.slice(2)

async function consumeUntil (kafka, options, wanted, each) {
  const consumer = kafka.consumer({ maxWaitTimeInMs: 100, ...options })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, event => reject(event.payload.error))
    consumer.run({ eachMessage: async ({ message }) => { each(message); if (wanted()) resolve() } }).catch(reject)
  })
  await consumer.stop()
  await consumer.disconnect()
}

async function main () {
  const found = {}
  const kafka = new Kafka({ clientId: 'contract', brokers: [bootstrap], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  const definition = { topic, numPartitions: 3, configEntries: [{ name: 'segment.bytes', value: '1048576' }] }
  await admin.createTopics({ topics: [definition], waitForLeaders: true })
  found.created_again = !(await admin.createTopics({ topics: [definition] }))
  const configs = await admin.describeConfigs({
    includeSynonyms: false, resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['segment.bytes'] }]
  })
  found.segment_bytes = configs.resources[0].configEntries[0].configValue

  const producer = kafka.producer({ idempotent: true })
  await producer.connect()
  for (const [name, compression] of [['none', CompressionTypes.None], ['gzip', CompressionTypes.GZIP]]) {
    const messages = []
    for (let i = 0; i < RECORDS; i++) {
      messages.push({ key: `${name}-${i}`, value: `value ${name} ${i}`, headers: { codec: name } })
    }
    await producer.send({ topic, messages, compression })
  }
  await producer.disconnect()

  const lines = []
  const groupId = topic + '-node'
  await consumeUntil(kafka, { groupId }, () => lines.length === 2 * RECORDS, message => {
    lines.push(`${message.key}=${message.value};codec=${message.headers.codec}`)
  })
  lines.sort()
  const digest = crypto.createHash('sha256')
  for (const line of lines) digest.update(line + '\n')
  found.consumed = lines.length
  found.digest = digest.digest('hex')
  const [committed] = await admin.fetchOffsets({ groupId, topics: [topic] })
  found.committed = committed.partitions.reduce((sum, one) => sum + Number(one.offset), 0)
  found.group_state = (await admin.describeGroups([groupId])).groups[0].state

  const transactional = kafka.producer({ transactionalId: topic + '-tx', maxInFlightRequests: 1, idempotent: true })
  await transactional.connect()
  for (const word of ['aborted', 'committed']) {
    const transaction = await transactional.transaction()
    await transaction.send({ topic, messages: [{ key: 'tx', value: word }] })
    await (word === 'aborted' ? transaction.abort() : transaction.commit())
  }
  await transactional.disconnect()
  const seen = []
  await consumeUntil(kafka, { groupId: topic + '-committed', readUncommitted: false }, () => seen.length > 0, message => {
    if (String(message.key) === 'tx') seen.push(String(message.value))
  })
  found.read_committed = seen

  const ends = await admin.fetchTopicOffsets(topic)
  found.end = ends.reduce((sum, one) => sum + Number(one.high), 0)
  const later = await admin.fetchTopicOffsetsByTimestamp(topic, Date.now() + 3600 * 1000)
  found.after_now = later.reduce((sum, one) => sum + Number(one.offset), 0) === found.end
  await admin.deleteTopics({ topics: [topic] })
  await admin.disconnect()
  console.log(JSON.stringify(found))
}

main().then(() => process.exit(0), error => { console.error(error); process.exit(1) })
