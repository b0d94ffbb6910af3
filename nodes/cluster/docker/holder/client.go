package holder

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// A Client asks one holder. Its requests are done one after another, but for those that wait for probes.
type Client struct {
	address string
	mu      sync.Mutex
	conn    net.Conn
	in      *bufio.Scanner
	n       int
}

// Dial returns a client of the holder at that address. It connects when it is first asked something.
func Dial(address string) *Client { return &Client{address: address} }

// A Refused is the answer of a holder that could not do what it was asked for.
type Refused struct{ Why string }

func (r *Refused) Error() string { return r.Why }

// Do asks for something and returns the answer; an answer that says why not is a *Refused. A connection that broke is
// made again once, since every request is one that may be done twice.
func (c *Client) Do(ctx context.Context, r Request) (Answer, error) {
	if r.Heard != nil { // waits, and others are not to wait for it
		alone := Dial(c.address)
		defer alone.Close()
		return alone.once(ctx, r)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	a, err := c.once(ctx, r)
	if err != nil && ctx.Err() == nil && !errors.As(err, new(*Refused)) {
		a, err = c.once(ctx, r)
	}
	return a, err
}

// Patiently is Do until it is answered, for a holder that is about to listen.
func (c *Client) Patiently(ctx context.Context, r Request) (Answer, error) {
	for {
		a, err := c.Do(ctx, r)
		if err == nil || errors.As(err, new(*Refused)) {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, err
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func (c *Client) once(ctx context.Context, r Request) (a Answer, err error) {
	if c.conn == nil {
		var d net.Dialer
		if c.conn, err = d.DialContext(ctx, "tcp", c.address); err != nil {
			c.conn = nil
			return a, err
		}
		c.in = bufio.NewScanner(c.conn)
		c.in.Buffer(nil, 1<<20)
	}
	defer func() {
		if err != nil && !errors.As(err, new(*Refused)) && c.conn != nil {
			c.conn.Close()
			c.conn = nil
		}
	}()
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	c.n++
	r.ID = c.n
	text, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	if _, err := conn.Write(append(text, '\n')); err != nil {
		return a, err
	}
	for c.in.Scan() {
		a = Answer{}
		if err := json.Unmarshal(c.in.Bytes(), &a); err != nil {
			return a, fmt.Errorf("holder: %w", err)
		}
		if a.ID != r.ID {
			continue // of a request that was given up
		}
		if a.Error != "" {
			return a, &Refused{a.Error}
		}
		return a, nil
	}
	if err := c.in.Err(); err != nil {
		return a, err
	}
	return a, errors.New("holder: it hung up")
}

// Close ends the connection. A request under way fails.
func (c *Client) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
