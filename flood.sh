exec yes 'INFO GET /users/1234567 200 in 12 ms and some more text to fill the line up to a hundred'
