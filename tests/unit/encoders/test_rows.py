import torch
from torch import nn

from compress.encoders.rows import Rows, linear_of, places


def test_a_share_reads_and_writes_its_part_of_the_whole() -> None:
    linear = nn.Linear(4, 6)
    share = Rows(linear, 1, 3)
    assert (share.in_features, share.out_features) == (4, 2)
    assert torch.equal(share.weight, linear.weight[2:4])
    assert places(share, [0, 1]) == [2, 3]
    assert places(linear, [0, 1]) == [0, 1]
    assert linear_of(share) is linear_of(linear) is linear
    with torch.no_grad():
        share.weight.zero_()
        share.bias.fill_(7)
    assert linear.weight.eq(0).all(1).tolist() == [False, False, True, True, False, False]
    assert linear.bias.eq(7).tolist() == [False, False, True, True, False, False]
    assert Rows(nn.Linear(4, 6, bias=False), 0, 3).bias is None


def test_a_hook_sees_its_share_of_the_outputs_and_the_inputs_of_all() -> None:
    linear, seen = nn.Linear(4, 6), []
    share = Rows(linear, 2, 3)
    handles = [
        share.register_forward_hook(lambda _module, _args, output: seen.append(output)),
        share.register_forward_pre_hook(lambda _module, args: seen.append(args[0])),
    ]
    states = torch.randn(2, 4)
    whole = linear(states)
    assert torch.equal(seen[0], states)
    assert torch.equal(seen[1], whole[:, 4:])
    for handle in handles:
        handle.remove()
    linear(states)
    assert len(seen) == 2
