package clients

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spanwire/spanwire/internal/sigv4test"
)

// awsWay is how a caller of Bedrock is authenticated (docs/bedrock.md).
type awsWay int

const (
	bearerKey      awsWay = iota // sent as it is
	signedByProxy                // anew, with the proxy's credentials
	signedByCaller               // for the provider's host
)

const (
	awsRegion = "eu-central-1"
	awsSecret = "fake-secret-of-the-client-tests"
	// The proxy and its callers have different keys: who signed is to be seen.
	proxyKeyID, callerKeyID = "AKIDPROXY", "AKIDCALLER"
)

// environments returns those of the proxy and of its caller. Neither sees what the
// machine has of AWS.
func (way awsWay) environments(dir, upstream string) (proxy, caller []string) {
	base := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "AWS_") })
	none := filepath.Join(dir, "none")
	bare := []string{"AWS_CONFIG_FILE=" + none, "AWS_SHARED_CREDENTIALS_FILE=" + none, "AWS_EC2_METADATA_DISABLED=true"}
	proxy = append(slices.Clone(base), bare...)
	caller = slices.Concat(bare, []string{"AWS_REGION=" + awsRegion, "AWS_DEFAULT_REGION=" + awsRegion})
	switch way {
	case bearerKey:
		caller = append(caller, "AWS_BEARER_TOKEN_BEDROCK="+apiKey)
	case signedByProxy:
		proxy = append(proxy, "AWS_ACCESS_KEY_ID="+proxyKeyID, "AWS_SECRET_ACCESS_KEY="+awsSecret)
		caller = append(caller, "AWS_ACCESS_KEY_ID="+callerKeyID, "AWS_SECRET_ACCESS_KEY=another")
	case signedByCaller:
		caller = append(caller, "AWS_ACCESS_KEY_ID="+callerKeyID, "AWS_SECRET_ACCESS_KEY="+awsSecret, "SIGNED_FOR=http://"+upstream)
	}
	return proxy, caller
}

// verify says what AWS would say of a signature.
func (way awsWay) verify(r *http.Request, body []byte) error {
	who := proxyKeyID
	if way == signedByCaller {
		who = callerKeyID
	}
	authority := sigv4test.Authority{
		Region: awsRegion, Service: "bedrock", Now: time.Now(),
		Keys: map[string]sigv4test.Key{who: {Secret: awsSecret}},
	}
	var head strings.Builder
	fmt.Fprintf(&head, "%s %s %s\r\nHost: %s\r\n", r.Method, r.RequestURI, r.Proto, r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			fmt.Fprintf(&head, "%s: %s\r\n", name, value)
		}
	}
	if r.ContentLength > 0 { // which net/http takes out of the fields
		fmt.Fprintf(&head, "Content-Length: %d\r\n", r.ContentLength)
	}
	head.WriteString("\r\n")
	return authority.Verify(head.String(), body)
}
