// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The openings of one responder that nobody has reviewed yet, oldest first. Ids are not zero.
/// @dev A doubly linked list, so that adding, removing and asking for the oldest take the same gas however many wait:
/// a responder with a thousand openings must not make its own review too dear to record.
library ReviewQueue {
    struct Links {
        bytes32 older;
        bytes32 newer;
    }

    struct Queue {
        bytes32 oldest;
        bytes32 newest;
        mapping(bytes32 id => Links) links;
    }

    /// @dev Only an id that is not in it.
    function add(Queue storage queue, bytes32 id) internal {
        bytes32 last = queue.newest;
        queue.newest = id;
        if (last == 0) {
            queue.oldest = id;
        } else {
            queue.links[last].newer = id;
            queue.links[id].older = last;
        }
    }

    /// @dev Only an id that is in it.
    function remove(Queue storage queue, bytes32 id) internal {
        Links memory found = queue.links[id];
        if (found.older == 0) queue.oldest = found.newer;
        else queue.links[found.older].newer = found.newer;
        if (found.newer == 0) queue.newest = found.older;
        else queue.links[found.newer].older = found.older;
        delete queue.links[id];
    }

    function next(Queue storage queue, bytes32 id) internal view returns (bytes32) {
        return queue.links[id].newer;
    }
}
