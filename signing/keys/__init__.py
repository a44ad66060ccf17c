"""Where sealing keys live: one module per holder, each giving a `signing.sealing.SealingKey`."""
