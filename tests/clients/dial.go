// Dials TLS the way net/http does: dial ADDRESS SERVER-NAME CA-FILE. Prints "believed", or why not.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

func main() {
	pem, _ := os.ReadFile(os.Args[3])
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	conn, err := tls.Dial("tcp", os.Args[1], &tls.Config{ServerName: os.Args[2], RootCAs: roots})
	if err != nil {
		fmt.Println(err)
		return
	}
	conn.Close()
	fmt.Println("believed")
}
