"""`packyard apply`: CloudFormation templates of domains, repositories and package groups, applied over the API.

documents   the text of a template -> plain values, with limits
template    plain values -> parameters and resources, in the order of their dependencies
intrinsics  Ref, Fn::GetAtt, Fn::Sub, Fn::Join
state       one resource at a time brought to what the template declares
command     the command line
"""
