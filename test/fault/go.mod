module tusq/test/fault

go 1.26.0

replace tusq => ../..
