// A web server and its clients in one process, to be traced: net/http, whose goroutines change their threads, and whose scheduler sends
// its threads signals and moves them elsewhere.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
)

const clients, requests = 4, 40

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	runtime.GOMAXPROCS(4)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := &http.Server{Handler: http.HandlerFunc(func(answer http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		answer.Header()["Date"] = nil
		answer.Write(append(body, body...))
	})}
	// Each of its connections is closed before the program ends.
	var open sync.WaitGroup
	server.ConnState = func(connection net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed:
			open.Done()
		}
	}
	over := make(chan error)
	go func() { over <- server.Serve(listener) }()
	// Somebody who never makes a call: the scheduler interrupts him.
	stop := make(chan bool)
	go func() {
		for count := 0; ; count++ {
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	var all sync.WaitGroup
	var totals [clients]int
	for number := 0; number < clients; number++ {
		all.Add(1)
		go func(number int) {
			defer all.Done()
			transport := &http.Transport{MaxConnsPerHost: 1}
			client := http.Client{Transport: transport}
			for i := 0; i < requests; i++ {
				text := strings.Repeat(fmt.Sprintf("from client %d, request %03d, ", number, i), 20)
				answer, err := client.Post("http://"+listener.Addr().String()+"/", "text/plain", strings.NewReader(text))
				check(err)
				body, err := io.ReadAll(answer.Body)
				check(err)
				answer.Body.Close()
				totals[number] += len(body)
			}
			transport.CloseIdleConnections()
		}(number)
	}
	all.Wait()
	close(stop)
	open.Wait()
	check(server.Close())
	<-over
	fmt.Println(totals)
}
