// bench/peers/tasks_go.go - Go: what a goroutine costs, on one thread
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

func switches() float64 {
	const times = 2000000
	var done sync.WaitGroup
	done.Add(2)
	start := time.Now()
	for g := 0; g < 2; g++ {
		go func() {
			for i := 0; i < times/2; i++ {
				runtime.Gosched()
			}
			done.Done()
		}()
	}
	done.Wait()
	// Each Gosched goes to the other one: two of them are there and back.
	return float64(time.Since(start).Nanoseconds()) / (times / 2)
}

func lives() float64 {
	const batches, batch = 500, 1000
	var done sync.WaitGroup
	start := time.Now()
	for b := 0; b < batches; b++ {
		done.Add(batch)
		for i := 0; i < batch; i++ {
			go func() { done.Done() }()
		}
		done.Wait()
	}
	return float64(time.Since(start).Nanoseconds()) / (batches * batch)
}

func channel() float64 {
	const times = 2000000
	c := make(chan int)
	go func() {
		for i := 0; i < times; i++ {
			c <- i
		}
		close(c)
	}()
	start := time.Now()
	for range c {
	}
	return float64(time.Since(start).Nanoseconds()) / times
}

func resident() (kib int) {
	f, _ := os.Open("/proc/self/status")
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "VmRSS:") || strings.HasPrefix(s.Text(), "VmPTE:") {
			n, _ := strconv.Atoi(strings.Fields(s.Text())[1])
			kib += n
		}
	}
	return
}

func main() {
	runtime.GOMAXPROCS(1)
	var v [3][]float64
	lives()
	for i := 0; i < 5; i++ {
		v[0] = append(v[0], switches())
		v[1] = append(v[1], lives())
		v[2] = append(v[2], channel())
	}
	const count = 100000
	before := resident()
	for i := 0; i < count; i++ {
		go func() { time.Sleep(time.Hour) }()
	}
	time.Sleep(time.Second)
	kib := float64(resident()-before) / count
	fmt.Print("go")
	for i := 0; i < 2; i++ {
		sort.Float64s(v[i])
		fmt.Printf(" %.1f %.1f %.1f", v[i][2], v[i][0], v[i][4])
	}
	sort.Float64s(v[2])
	fmt.Printf(" %.2f %.1f %.1f %.1f\n", kib, v[2][2], v[2][0], v[2][4])
}
