package ast

// Made is the name of what a statement makes, to be read or changed; nil of one that makes nothing with a name of this form.
// That of an index is a word, for an index is where its relation is.
func Made(stmt Statement) *Name {
	switch st := stmt.(type) {
	case *CreateTable:
		return &st.Name
	case *CreateTableFromSource:
		return &st.Name
	case *CreateView:
		return &st.Name
	case *CreateMaterializedView:
		return &st.Name
	case *CreateSource:
		return &st.Name
	case *CreateSink:
		return &st.Name
	case *CreateSubscription:
		return &st.Name
	case *CreateConnection:
		return &st.Name
	case *CreateSecret:
		return &st.Name
	default:
		return nil
	}
}
