package main

import "time"

func (c client) connectUntil(over func() bool) Totals {
	var totals Totals
	for !over() {
		if err := c.connectOnce(&totals); err != nil {
			totals.fail(err)
		}
	}
	return totals
}

func (c client) connectOnce(totals *Totals) error {
	connection, err := c.connect()
	if err != nil {
		return err
	}
	defer connection.close()
	totals.Connections++
	if connection.state().DidResume {
		totals.Resumed++
	}
	_, err = connection.get(true)
	totals.Requests++
	return err
}

// converse keeps one connection for as long as the server does, or makes a new
// one for each request.
func (c client) converse(keeping bool, pause time.Duration, ended func() bool) Totals {
	var totals Totals
	for !ended() {
		if !keeping {
			if err := c.connectOnce(&totals); err != nil {
				totals.fail(err)
			}
			time.Sleep(pause)
			continue
		}
		if err := c.stay(&totals, pause, ended); err != nil {
			totals.fail(err)
		}
	}
	return totals
}

func (c client) stay(totals *Totals, pause time.Duration, ended func() bool) error {
	connection, err := c.connect()
	if err != nil {
		return err
	}
	defer connection.close()
	totals.Connections++
	for !ended() {
		totals.Requests++
		last, err := connection.get(false)
		if err != nil {
			return err
		}
		time.Sleep(pause)
		if last {
			return nil
		}
	}
	return nil
}
