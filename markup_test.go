package aplomb

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/aplomb-go/aplomb/internal/assert"
)

func TestXMLProblem(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, body, code, message string }{
		{"object store", `<?xml version="1.0"?>` + "\n" + `<Error><Code>NoSuchKey</Code><Message>No key.</Message><Resource>/a</Resource></Error>`, "NoSuchKey", "No key."},
		{"SOAP", `<s:Envelope xmlns:s="x"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring xml:lang="en">No.</faultstring></s:Fault></s:Body></s:Envelope>`, "s:Client", "No."},
		{"prefix and attributes", "<d:error><d:code\n\ta='>'>A</d:code><d:message\r\nb=\"'/>\">B</d:message></d:error>", "A", "B"},
		{"entities", `<Message>a &lt;b&gt; &amp;amp; &quot;c&quot; &apos;d&#39; &#x20AC; &nbsp;&eacute; &; & &#xZZ; &#-1;</Message>`, "", "a <b> &amp; \"c\" 'd' € \u00a0&eacute; &; & &#xZZ; &#-1;"},
		{"CDATA and comments", `<!DOCTYPE x><Message><!-- <Code>no</Code> -->a<![CDATA[ <b> &amp; ]]>c</Message>`, "", "a <b> &amp; c"},
		{"a declaration and an instruction inside", `<Message>a<!x>b<?y?>c</Message>`, "", "abc"},
		{"elements inside are left out", `<Message>a <b>bold <i>no</i></b>c<br/></Message>`, "", "a c"},
		{"the last counts", `<e><Code>1</Code><Code>2</Code></e>`, "2", ""},
		{"one without content says nothing", `<e><Code>1</Code><Code/><Message a="b"/></e>`, "1", ""},
		{"white space around", "<Message>\n  a\n b\n</Message>", "", "a\n b"},
		{"one that does not end", `<e><Code>A</Code><Message>half a mess`, "A", ""},
		{"a tag that does not end", `<e><Code>A</Code><Message b="`, "A", ""},
		{"a comment that does not end", `<e><Code>A</Code><!-- <Message>x</Message>`, "A", ""},
		{"a CDATA section that does not end", `<Message><![CDATA[x</Message>`, "", ""},
		{"no element", `<`, "", ""},
		{"no names", `< Code>x</ Code><></><:>`, "", ""},
		{"beyond what is read", `<e>` + strings.Repeat(" ", maxMarkup) + `<Code>A</Code>`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			code, message := xmlProblem([]byte(tt.body))
			assert.Equal(t, code, tt.code)
			assert.Equal(t, message, tt.message)
		})
	}
}

// What encoding/xml wrote is read, whatever stands around it.
func FuzzXMLProblem(f *testing.F) {
	f.Add("NoSuchKey", "a <b> & \"c\" 'd'", "")
	f.Add("", "&#39;\t]]>", `<x y="/>">&lt;</x><z/>`)
	f.Add("a:b", "\x00\xff€", "<!-- -- ><![CDATA[")
	f.Fuzz(func(t *testing.T, code, message, before string) {
		xmlProblem([]byte(before))
		var body strings.Builder
		if xml.Unmarshal([]byte("<x>"+before+"</x>"), new(struct{})) == nil {
			body.WriteString("<x>" + before + "</x>")
		}
		body.WriteString("<Code>")
		_ = xml.EscapeText(&body, []byte(code)) // a strings.Builder takes everything
		body.WriteString("</Code><Message>")
		_ = xml.EscapeText(&body, []byte(message))
		body.WriteString("</Message>")
		if body.Len() > maxMarkup {
			return
		}
		// What is no character of XML is written as U+FFFD.
		gotCode, gotMessage := xmlProblem([]byte(body.String()))
		assert.Equal(t, gotCode, strings.TrimSpace(inXML(code)))
		assert.Equal(t, gotMessage, strings.TrimSpace(inXML(message)))
	})
}

// inXML is text as encoding/xml reads back what it wrote.
func inXML(text string) string {
	var out strings.Builder
	_ = xml.EscapeText(&out, []byte(text))
	var back struct {
		Text string `xml:",chardata"`
	}
	_ = xml.Unmarshal([]byte("<x>"+out.String()+"</x>"), &back)
	return back.Text
}
