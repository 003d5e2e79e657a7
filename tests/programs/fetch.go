// Proves that a Go program, which makes its calls without the C library, is traced: fetches page argument 2 from argument 1,
// prints it, and closes the connection before it ends.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	conn, err := net.Dial("tcp", os.Args[1])
	check(err)
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", os.Args[2], os.Args[1])
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	check(err)
	_, err = io.Copy(os.Stdout, answer.Body)
	check(err)
	check(conn.Close())
}
