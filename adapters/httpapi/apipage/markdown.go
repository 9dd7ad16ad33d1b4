package apipage

import (
	"html/template"
	"strings"
)

// markdown turns the part of CommonMark that the document uses into HTML:
// paragraphs, lists with "- ", `code` and **strong**. Everything else is text.
func markdown(text string) template.HTML {
	var out strings.Builder
	for block := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		lines := strings.Split(block, "\n")
		if !strings.HasPrefix(lines[0], "- ") {
			out.WriteString("<p>" + string(inline(strings.Join(lines, " "))) + "</p>")
			continue
		}
		out.WriteString("<ul>")
		for item := range strings.SplitSeq("\n"+block, "\n- ") {
			if item != "" {
				out.WriteString("<li>" + string(inline(strings.ReplaceAll(item, "\n", " "))) + "</li>")
			}
		}
		out.WriteString("</ul>")
	}
	return template.HTML(out.String()) //nolint:gosec // every piece of text went through inline
}

// inline is markdown of one line. What stands in backquotes stays as it is.
func inline(text string) template.HTML {
	var out strings.Builder
	for i, piece := range strings.Split(text, "`") {
		switch {
		case i%2 == 1:
			out.WriteString("<code>" + template.HTMLEscapeString(piece) + "</code>")
		default:
			for j, part := range strings.Split(piece, "**") {
				if j%2 == 1 {
					out.WriteString("<strong>" + template.HTMLEscapeString(part) + "</strong>")
				} else {
					out.WriteString(template.HTMLEscapeString(part))
				}
			}
		}
	}
	return template.HTML(out.String()) //nolint:gosec // every piece of text was escaped
}
