// A web server and its clients in one process, to be traced: each client keeps its connection.
const http = require('http');
const CLIENTS = 4, REQUESTS = 30;

const server = http.createServer((request, response) => {
  let body = '';
  request.on('data', (piece) => (body += piece));
  request.on('end', () => {
    response.sendDate = false;
    response.setHeader('Content-Length', 2 * body.length);
    response.end(body + body);
  });
});

function ask(agent, port, path, body) {
  return new Promise((resolve, reject) => {
    const options = { agent, port, path, host: '127.0.0.1', method: 'POST', headers: { 'Content-Length': body.length } };
    const request = http.request(options, (response) => {
      let length = 0;
      response.on('data', (piece) => (length += piece.length));
      response.on('end', () => resolve(length));
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function client(number, port) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  let total = 0;
  for (let i = 0; i < REQUESTS; i++) {
    const name = String(i).padStart(3, '0');
    total += await ask(agent, port, `/${number}/${name}`, `from client ${number}, request ${name}, `.repeat(20));
  }
  agent.destroy();
  return total;
}

server.listen(0, '127.0.0.1', async () => {
  const port = server.address().port;
  console.log(await Promise.all(Array.from({ length: CLIENTS }, (_, number) => client(number, port))));
  server.close();
});
