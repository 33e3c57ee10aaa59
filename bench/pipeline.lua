-- Sixteen requests in one write: wrk -s bench/pipeline.lua
init = function(args)
    local one = wrk.format(nil, nil)
    local all = {}
    for i = 1, 16 do all[i] = one end
    request_of_all = table.concat(all)
end
request = function() return request_of_all end
