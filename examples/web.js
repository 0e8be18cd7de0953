// A web server on a free port.
const server = require('node:http').createServer((_, response) => response.end('hello from velos\n'));
server.listen(0, '127.0.0.1', () => console.log(`Server started on port ${server.address().port}`));
