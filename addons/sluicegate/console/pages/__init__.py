"""The console's pages: what people see in a browser. They work without JavaScript, and better with it."""
