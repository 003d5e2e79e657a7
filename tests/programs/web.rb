# A server with a thread for each client, and its clients in threads, to be traced.
require 'socket'

CLIENTS = 4
LINES = 50
server = TCPServer.new('127.0.0.1', 0)
port = server.addr[1]
serving = Thread.new do
  CLIENTS.times.map do
    peer = server.accept
    Thread.new do
      while (line = peer.gets)
        peer.write(line.upcase)
      end
      peer.close
    end
  end.each(&:join)
end
totals = CLIENTS.times.map do |number|
  Thread.new do
    socket = TCPSocket.new('127.0.0.1', port)
    total = LINES.times.sum do |i|
      socket.write("line #{i} of #{number}\n")
      socket.gets.length
    end
    socket.close_write
    raise 'more came' unless socket.read.empty?
    socket.close
    total
  end
end.map(&:value)
serving.join
server.close
p totals
