// A server with a thread for each client, and its clients, to be traced: streams, and channels with a selector.
import java.io.*;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.*;
import java.util.concurrent.*;

public class Web {
    static final int CLIENTS = 4, LINES = 40;

    static void serve(Socket peer) throws IOException {
        try (peer) {
            byte[] bytes = new byte[256];
            for (int length; (length = peer.getInputStream().read(bytes)) > 0;) peer.getOutputStream().write(bytes, 0, length);
        }
    }

    static int talk(int port, int number) throws IOException {
        try (Socket socket = new Socket("127.0.0.1", port)) {
            int total = 0;
            byte[] bytes = new byte[256];
            for (int i = 0; i < LINES; i++) {
                byte[] line = String.format("line %d of %d\n", i, number).getBytes();
                socket.getOutputStream().write(line);
                for (int got = 0, length; got < line.length; got += length) total += length = socket.getInputStream().read(bytes);
            }
            return total;
        }
    }

    // The same with one thread for all.
    static int select() throws IOException {
        int total = 0;
        try (ServerSocketChannel server = ServerSocketChannel.open(); Selector selector = Selector.open()) {
            server.bind(new InetSocketAddress("127.0.0.1", 0));
            SocketChannel client = SocketChannel.open(server.getLocalAddress());
            SocketChannel peer = server.accept();
            peer.configureBlocking(false);
            peer.register(selector, SelectionKey.OP_READ);
            ByteBuffer bytes = ByteBuffer.allocate(256);
            for (int i = 0; i < LINES; i++) {
                client.write(ByteBuffer.wrap(String.format("line %d\n", i).getBytes()));
                selector.select();
                selector.selectedKeys().clear();
                bytes.clear();
                total += peer.read(bytes);
            }
            client.close();
            peer.close();
        }
        return total;
    }

    public static void main(String[] words) throws Exception {
        ExecutorService threads = Executors.newCachedThreadPool();
        ServerSocket server = new ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"));
        List<Future<Integer>> totals = new ArrayList<>();
        List<Future<?>> serving = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            int number = i;
            totals.add(threads.submit(() -> talk(server.getLocalPort(), number)));
        }
        for (int i = 0; i < CLIENTS; i++) {
            Socket peer = server.accept();
            serving.add(threads.submit(() -> { serve(peer); return null; }));
        }
        for (Future<Integer> total : totals) System.out.println(total.get());
        for (Future<?> each : serving) each.get();
        System.out.println(select());
        server.close();
        threads.shutdown();
    }
}
