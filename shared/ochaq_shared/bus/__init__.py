"""The bus: RabbitMQ's topology declared in one place, a confirming publisher and the base of all consumers."""
