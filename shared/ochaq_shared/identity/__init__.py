"""Who is asking: 60-second Ed25519 tokens addressed to one service (design: the gateway's identity exchange).

`Signer` makes tokens with a service's own key; `Verifier` checks them against the mounted JWKS file with the algorithm
pinned. Only web may speak for users; a service may only speak for itself.
"""

from ochaq_shared.identity.keys import create_keys, load_private_key
from ochaq_shared.identity.tokens import Identity, Signer, Verifier, bearer

__all__ = ["Identity", "Signer", "Verifier", "bearer", "create_keys", "load_private_key"]
