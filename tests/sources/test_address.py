from __future__ import annotations

import pytest

from edge.sources import masked


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("rtsp://me:s3cret@10.0.0.5/1?key=s3cret", "rtsp://***@10.0.0.5/1?key=***"),
        ("gst:rtspsrc user-id=me user-pw=s3cret ! x", "gst:rtspsrc user-id=*** user-pw=*** ! x"),
        (r'gst:rtspsrc user-pw="s3\" cret" ! x', "gst:rtspsrc user-pw=*** ! x"),
        (r"gst:rtspsrc user-pw=s3\ cret proxy-pw = 's3 cret' ! x",
         "gst:rtspsrc user-pw=*** proxy-pw = *** ! x"),
        ("GST:srtsrc passphrase=s3cret ! x", "GST:srtsrc passphrase=*** ! x"),
        ("gst:souphttpsrc location=http://me:s3cret@h/a user-pw=s3cret",
         "gst:souphttpsrc location=http://***@h/a user-pw=***"),
        ("gst:v4l2src device=/dev/video0 ! nvv4l2decoder gpu-id=1 ! appsink",
         "gst:v4l2src device=/dev/video0 ! nvv4l2decoder gpu-id=1 ! appsink"),
        ("clips/user-pw=1.mp4", "clips/user-pw=1.mp4"),
    ],
)  # fmt: skip
def test_secrets_are_replaced_wherever_they_stand(written, shown):
    assert masked(written) == shown
    assert "cret" not in masked(written)
