"""Tables, figures and the HTML page. Rows in, text and files out; nothing here measures or decides.

model      what a report is made of            records   frame -> plain rows, groups, names
cells      marks, numbers as text              sheets    what each table says
tables     text, Markdown, CSV, JSON           html      the self-contained page; its fixed
write      all of it as files                  page      style sheet and script
metrics    the axes of a figure                labels    label placement
theme      colours and sizes                   panel     what the frontier figure shows, where
plots      every figure (Altair)               frontier  the drawing of the frontier
"""
