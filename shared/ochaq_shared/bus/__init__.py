"""The bus: RabbitMQ's topology declared in one place, a confirming publisher and the base of all consumers.

| module | what |
|---|---|
| `topology` | every exchange, queue, binding and limit; nothing else declares anything |
| `connection` | one way to connect, bounded in time |
| `publisher` | many messages in flight, each confirmed and routable, blocked brokers noticed |
| `frames` | the bytes of a published message, made in one go |
| `consumer` | the loop of every consumer: batches, outages, deadly messages, settling, receipts |
| `parking` | copies of messages that failed: on the retry ladder, among the dead letters |
| `delivery` | what a consumer gets and what becomes of it; `BatchProcessor` for consumers idempotent by themselves |
| `inbox` | `InboxProcessor`: inbox row and effect in one transaction |
| `versions` | `Ordered`: handlers whose effect depends on the order of a subject's events |
| `dead_letters` | reading, replaying, dropping what nobody could handle |
"""
