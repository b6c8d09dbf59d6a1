"""The order of the addons, the fail-closed wrapper, the sentinel, and the two ways to start them."""
