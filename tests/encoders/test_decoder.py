"""A decoder that draws sums of outer products."""

import torch

from encoders import Decoder, DecoderConfig


def test_an_image_is_the_sum_of_outer_products_of_its_profiles():
    torch.manual_seed(0)
    frames, height, width, rank = 4, 8, 16, 3
    decoder = Decoder((frames, height, width), 64, DecoderConfig(units=5, rank=rank))
    latent = torch.randn(2, 64)
    profiles = decoder.layers(latent).view(2, frames, rank, height + width)
    expected = sum(
        profiles[:, :, k, :height, None] * profiles[:, :, k, None, height:] for k in range(rank)
    )
    drawn = decoder(latent)
    torch.testing.assert_close(drawn, expected)
    assert max(torch.linalg.matrix_rank(image) for image in drawn.flatten(0, 1)) == rank


def test_the_frames_share_what_makes_profiles_of_hidden_units():
    torch.manual_seed(0)
    decoder = Decoder((4, 8, 16), 4, DecoderConfig(units=5))
    first = decoder.layers[0]
    assert isinstance(first, torch.nn.Linear)
    with torch.no_grad():
        first.weight.copy_(first.weight[:5].repeat(4, 1))
        first.bias.copy_(first.bias[:5].repeat(4))
    drawn = decoder(torch.randn(2, 4))
    assert drawn.std() > 0
    torch.testing.assert_close(drawn, drawn[:, :1].expand_as(drawn))
