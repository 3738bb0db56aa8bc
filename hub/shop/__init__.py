"""The core shop backend; also the built-in connector `shop`: see backend."""
