package serve

import (
	"net/http"

	"github.com/mega-go/mega/data"
)

// tokenizeRequest is a request to /tokenize, as llama.cpp has it (content) and vLLM
// (prompt).
type tokenizeRequest struct {
	Model      string  `json:"model"`
	Content    *string `json:"content"`
	Prompt     *string `json:"prompt"`
	WithPieces bool    `json:"with_pieces"`
	AddSpecial bool    `json:"add_special"`
}

// A tokenPiece is a token and the text that it stands for.
type tokenPiece struct {
	ID    int32  `json:"id"`
	Piece string `json:"piece"`
}

func (s *Server) tokenize(w http.ResponseWriter, r *http.Request) error {
	var q tokenizeRequest
	if err := readJSON(r, &q); err != nil {
		return err
	}
	text := q.Content
	if text == nil {
		text = q.Prompt
	}
	switch {
	case text == nil:
		return invalid("content", "there is no content")
	case q.AddSpecial:
		return invalid("add_special", "add_special is true: </s> before a text is no token of it")
	}
	m, err := s.use(q.Model, textKind)
	if err != nil {
		return err
	}
	defer m.release()
	ids, _, err := m.text.model.Codec.Encode(*text)
	if err != nil {
		return invalid("content", "%v", err)
	}
	answer := struct {
		Tokens any `json:"tokens"`
		Count  int `json:"count"`
	}{append([]int32{}, ids...), len(ids)}
	if q.WithPieces {
		pieces := make([]tokenPiece, len(ids))
		for i, id := range ids {
			pieces[i] = tokenPiece{id, m.text.model.Codec.Symbol(id)}
		}
		answer.Tokens = pieces
	}
	writeJSON(w, http.StatusOK, answer)
	return nil
}

// detokenizeRequest is a request to /detokenize.
type detokenizeRequest struct {
	Model  string  `json:"model"`
	Tokens []int32 `json:"tokens"`
}

func (s *Server) detokenize(w http.ResponseWriter, r *http.Request) error {
	var q detokenizeRequest
	if err := readJSON(r, &q); err != nil {
		return err
	}
	m, err := s.use(q.Model, textKind)
	if err != nil {
		return err
	}
	defer m.release()
	if err := checkIDs(q.Tokens, m.text.model); err != nil {
		return invalid("tokens", "%v", err)
	}
	text := m.text.model.Codec.Decode(data.EOS, q.Tokens)
	writeJSON(w, http.StatusOK, map[string]string{"content": text, "prompt": text})
	return nil
}
