"""A record and its verdict as people and CI systems read them: tables, pictures, HTML, Markdown, model cards."""
