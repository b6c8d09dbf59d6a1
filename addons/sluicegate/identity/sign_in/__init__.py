"""How somebody becomes signed in, stays so, and is signed out: what the console does with the provider's word."""
